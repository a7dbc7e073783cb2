// Where an answer comes from: a numbered list of passages, which its [n] markers open.
import type { Source } from "../../client";
import { Chevron } from "./icons";
import { useLocale } from "./locale";

interface SourcesProps {
  sources: readonly Source[];
  sourceId(number: number): string;
}

export function Sources({ sources, sourceId }: SourcesProps) {
  const { t } = useLocale();
  if (sources.length === 0) return null;
  return (
    <section className="sources" data-testid="sources" aria-label={t.sources}>
      <h3>{t.sources}</h3>
      <ol>
        {sources.map((source, index) => {
          const number = source.number ?? index + 1;
          return (
            <li key={number} value={number} data-testid="source">
              <Passage source={source} number={number} id={sourceId(number)} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function Passage({ source, number, id }: { source: Source; number: number; id: string }) {
  const { t } = useLocale();
  const title = source.title || source.path || source.url || t.source(number);
  const link = safeLink(source.url);
  const where = [source.collection, source.path === title ? null : source.path].filter(Boolean).join(" · ");
  return (
    <details id={id} className="source">
      <summary>
        <span className="source-number">{number}</span>
        <span className="source-text">
          <span className="source-title">{title}</span>
          {where && <span className="source-where">{where}</span>}
        </span>
        <Chevron />
      </summary>
      {source.snippet && <blockquote className="source-snippet">{source.snippet}</blockquote>}
      {link && (
        <a className="source-link" href={link} target="_blank" rel="noreferrer noopener">
          {t.openDocument}
        </a>
      )}
    </details>
  );
}

/** Only what a browser opens as a web page: never a script or a file of the visitor. */
function safeLink(url: string | null | undefined): string | null {
  if (!url) return null;
  try {
    const { protocol, href } = new URL(url);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}

// Where an answer comes from: a numbered list to which its [n] markers lead.
import type { Source } from "../../client";
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
            <li key={number} id={sourceId(number)} value={number} tabIndex={-1} data-testid="source">
              <span className="source-number" aria-hidden="true">
                {number}
              </span>
              <SourceText source={source} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function SourceText({ source }: { source: Source }) {
  const { t } = useLocale();
  const title = source.title || source.path || source.url || t.source(source.number ?? 0);
  const link = safeLink(source.url);
  const where = [source.collection, source.path === title ? null : source.path].filter(Boolean).join(" · ");
  return (
    <div className="source-text">
      <p className="source-title">
        {link ? (
          <a href={link} target="_blank" rel="noreferrer noopener">
            {title}
          </a>
        ) : (
          title
        )}
      </p>
      {where && <p className="source-where">{where}</p>}
      {source.snippet && <p className="source-snippet">{source.snippet}</p>}
    </div>
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

// An answer's text, drawn from its few marks as elements; nothing in it is ever taken as HTML.
import { memo, type ReactNode, useMemo } from "react";
import { type Block, type Inline, parseBlocks } from "../markdown";
import { useLocale } from "./locale";

interface AnswerTextProps {
  text: string;
  /** The sources one can jump to; null while they are not known yet. */
  numbers: ReadonlySet<number> | null;
  sourceId(number: number): string;
}

export const AnswerText = memo(function AnswerText({ text, numbers, sourceId }: AnswerTextProps) {
  const blocks = useMemo(() => parseBlocks(text), [text]);
  const inline = (inlines: readonly Inline[]): ReactNode =>
    inlines.map((part, index) => <InlinePart key={index} part={part} numbers={numbers} sourceId={sourceId} />);
  return blocks.map((block, index) => <BlockPart key={index} block={block} inline={inline} />);
});

function BlockPart({ block, inline }: { block: Block; inline(inlines: readonly Inline[]): ReactNode }) {
  switch (block.kind) {
    case "paragraph":
      return <p>{inline(block.inlines)}</p>;
    case "heading":
      return <p className="answer-heading">{inline(block.inlines)}</p>;
    case "quote":
      return <blockquote>{inline(block.inlines)}</blockquote>;
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      );
    case "list": {
      const items = block.items.map((item, index) => <li key={index}>{inline(item)}</li>);
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
  }
}

function InlinePart({ part, numbers, sourceId }: { part: Inline } & Omit<AnswerTextProps, "text">) {
  switch (part.kind) {
    case "text":
      return part.text;
    case "strong":
      return <strong>{part.text}</strong>;
    case "emphasis":
      return <em>{part.text}</em>;
    case "code":
      return <code>{part.text}</code>;
    case "cite":
      return <Citation number={part.number} numbers={numbers} id={sourceId(part.number)} />;
  }
}

function Citation({ number, numbers, id }: { number: number; numbers: ReadonlySet<number> | null; id: string }) {
  const { t } = useLocale();
  if (numbers === null) return <span className="cite">[{number}]</span>;
  if (!numbers.has(number)) return `[${number}]`;
  return (
    <a
      className="cite"
      href={`#${id}`}
      aria-label={t.source(number)}
      onClick={(event) => {
        event.preventDefault();
        jumpTo(id);
      }}
    >
      [{number}]
    </a>
  );
}

/** Opens the passage, and takes the keyboard there. */
function jumpTo(id: string): void {
  const passage = document.getElementById(id);
  if (!(passage instanceof HTMLDetailsElement)) return;
  passage.open = true;
  passage.scrollIntoView({ block: "center" });
  passage.querySelector("summary")?.focus({ preventScroll: true });
}

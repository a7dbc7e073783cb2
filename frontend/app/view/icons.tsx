// The page's few drawings, in the colour of the text around them.
import type { ReactNode } from "react";

function Icon({ name, children }: { name: string; children: ReactNode }) {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const Check = () => (
  <Icon name="check">
    <path d="m3.5 8.5 3 3 6-7" />
  </Icon>
);

export const Cross = () => (
  <Icon name="cross">
    <path d="m4.5 4.5 7 7m0-7-7 7" />
  </Icon>
);

export const Again = () => (
  <Icon name="again">
    <path d="M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3" />
  </Icon>
);

export const Square = () => (
  <Icon name="square">
    <rect x="4" y="4" width="8" height="8" rx="1.5" />
  </Icon>
);

export const Arrow = () => (
  <Icon name="arrow">
    <path d="M8 13V3.5M4 7l4-4 4 4" />
  </Icon>
);

export const Copy = ({ done }: { done: boolean }) =>
  done ? (
    <Check />
  ) : (
    <Icon name="copy">
      <path d="M6 5.5h7.5V14H6zM3 11V2.5h7.5" />
    </Icon>
  );

export const Thumb = ({ down }: { down: boolean }) => (
  <Icon name={down ? "thumb-down" : "thumb-up"}>
    <path d="M2.5 7.5h2V13h-2zM4.5 8 7 2.5c1.3 0 2 .9 1.7 2.2L8.3 6.5h4c.9 0 1.5.8 1.3 1.6l-1 3.8c-.2.7-.7 1.1-1.4 1.1H4.5" />
  </Icon>
);

export const List = () => (
  <Icon name="list">
    <path d="M2.5 4h11M2.5 8h11M2.5 12h7" />
  </Icon>
);

export const Bin = () => (
  <Icon name="bin">
    <path d="M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.6 9h5.8l.6-9" />
  </Icon>
);

export const Plus = () => (
  <Icon name="plus">
    <path d="M8 3v10M3 8h10" />
  </Icon>
);

export const Chevron = () => (
  <Icon name="chevron">
    <path d="m5 6.5 3 3 3-3" />
  </Icon>
);

/** Three spans, one under the other, as on a trace. */
export const Mark = () => (
  <svg className="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <rect className="mark-1" x="2" y="4" width="13" height="4" rx="2" />
    <rect className="mark-2" x="7" y="10" width="9" height="4" rx="2" />
    <rect className="mark-3" x="11" y="16" width="11" height="4" rx="2" />
  </svg>
);

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

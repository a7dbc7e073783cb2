// Which rows of a long table are drawn: those in sight and a few beside them.

export interface Window {
  /** The first row that is drawn, and the one after the last. */
  first: number;
  end: number;
  /** The height of the rows that are not drawn, in pixels. */
  above: number;
  below: number;
}

const BESIDE = 8;

export function rowsInSight(total: number, rowHeight: number, scrollTop: number, height: number): Window {
  const top = Math.min(Math.max(0, scrollTop), Math.max(0, total * rowHeight - height));
  const first = Math.max(0, Math.floor(top / rowHeight) - BESIDE);
  const end = Math.min(total, Math.ceil((top + height) / rowHeight) + BESIDE);
  return { first, end, above: first * rowHeight, below: (total - end) * rowHeight };
}

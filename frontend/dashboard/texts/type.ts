// The texts that each language has: those of the English one.
import type { en } from "./en";

type Said<Part> = Part extends string
  ? string
  : Part extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { readonly [Name in keyof Part]: Said<Part[Name]> };

type English = Said<typeof en>;

/** States are words of the server; one that is not here is shown as it is. */
export type Texts = Omit<English, "states"> & { readonly states: Readonly<Record<string, string>> };

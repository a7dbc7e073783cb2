// What the dashboard says, in each language of the page.
import type { Language } from "../../app/texts";
import { en } from "./en";
import { fr } from "./fr";
import { sw } from "./sw";
import type { Texts } from "./type";

export type { Texts } from "./type";

export const texts: Readonly<Record<Language, Texts>> = { en, sw, fr };

// The languages of the page, and which of them a visitor wants.
import { en } from "./en";
import { fr } from "./fr";
import { sw } from "./sw";
import type { Texts } from "./type";

export type { Texts } from "./type";

export const languages = { en: "English", sw: "Kiswahili", fr: "Français" } as const;

export type Language = keyof typeof languages;

export const texts: Readonly<Record<Language, Texts>> = { en, sw, fr };

export function isLanguage(value: string | null | undefined): value is Language {
  return typeof value === "string" && Object.hasOwn(languages, value);
}

export function chooseLanguage(remembered: string | null, wanted: readonly string[]): Language {
  if (isLanguage(remembered)) return remembered;
  return wanted.map((tag) => tag.split("-")[0]?.toLowerCase()).find(isLanguage) ?? "en";
}

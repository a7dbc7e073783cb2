// The language and the figures of the dashboard, for every part of it.
import { createContext, useContext, useMemo } from "react";
import type { Language } from "../../app/texts";
import { type Figures, figures } from "../numbers";
import { type Texts, texts } from "../texts";

export const LanguageContext = createContext<Language>("en");

export interface Locale {
  language: Language;
  t: Texts;
  f: Figures;
}

export function useLocale(): Locale {
  const language = useContext(LanguageContext);
  return useMemo(() => ({ language, t: texts[language], f: figures(language) }), [language]);
}

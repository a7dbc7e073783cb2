// The language in which the page speaks, for every part of it.
import { createContext, useContext } from "react";
import { type Language, type Texts, texts } from "../texts";

export const LanguageContext = createContext<Language>("en");

export function useLocale(): { language: Language; t: Texts } {
  const language = useContext(LanguageContext);
  return { language, t: texts[language] };
}

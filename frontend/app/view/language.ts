// The language that a reader has chosen, remembered and told to the browser.
import { useEffect, useState } from "react";
import type { Memory } from "../storage";
import { chooseLanguage, type Language } from "../texts";

export function useLanguage(memory: Memory): [Language, (next: Language) => void] {
  const [language, setLanguage] = useState(() => chooseLanguage(memory.language, navigator.languages));
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const choose = (next: Language) => {
    memory.language = next;
    setLanguage(next);
  };
  return [language, choose];
}

// The head of the page: its name, the conversations, a new one, the language.
import { isLanguage, type Language, languages } from "../texts";
import { List, Mark, Plus } from "./icons";
import { useLocale } from "./locale";

interface HeaderProps {
  onLanguage(language: Language): void;
  onNew(): void;
  onList(): void;
}

export function Header({ onLanguage, onNew, onList }: HeaderProps) {
  const { language, t } = useLocale();
  return (
    <header className="header">
      <h1 className="brand">
        <Mark />
        <span>{t.title}</span>
      </h1>
      <button type="button" className="quiet" data-testid="conversations" aria-haspopup="dialog" onClick={onList}>
        <List />
        <span>{t.conversations}</span>
      </button>
      <button type="button" className="quiet" data-testid="new" onClick={onNew}>
        <Plus />
        <span>{t.newConversation}</span>
      </button>
      <label className="language">
        <span className="hidden">{t.language}</span>
        <select
          data-testid="language"
          value={language}
          onChange={(event) => {
            if (isLanguage(event.target.value)) onLanguage(event.target.value);
          }}
        >
          {Object.entries(languages).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </header>
  );
}

// The head of the dashboard: its name, the views, the language, and who is logged in.
import { isLanguage, type Language, languages } from "../../app/texts";
import { Mark } from "../../app/view/icons";
import { logOut, type Person } from "../api";
import type { View } from "../place";
import { useDeed } from "./hooks";
import { useLocale } from "./locale";
import { Go, useWay } from "./place";

const MENU: readonly View[] = ["overview", "events", "sessions", "alerts", "keys", "subscriptions"];

interface HeadProps {
  person: Person | null;
  onLanguage(language: Language): void;
  onLeave(): void;
}

export function Head({ person, onLanguage, onLeave }: HeadProps) {
  const { language, t } = useLocale();
  const { place } = useWay();
  const leaving = useDeed();
  const leave = async () => {
    if (await leaving.run(logOut)) onLeave();
  };
  return (
    <header className="head">
      <a className="skip" href="#main">
        {t.skip}
      </a>
      <h1 className="brand">
        <Mark />
        {t.title}
      </h1>
      {person && (
        <nav aria-label={t.menu} className="menu">
          <ul>
            {MENU.map((view) => (
              <li key={view}>
                <Go
                  to={{ view, ...(view === "sessions" ? { session: null } : {}) }}
                  current={place.view === view || (view === "sessions" && place.view === "trace")}
                  testId={`menu-${view}`}
                >
                  {t.views[view]}
                </Go>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <div className="head-end">
        <label>
          <span className="hidden">{t.language}</span>
          <select
            value={language}
            onChange={({ target }) => {
              if (isLanguage(target.value)) onLanguage(target.value);
            }}
          >
            {Object.entries(languages).map(([code, name]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {person && (
          <button type="button" title={person.id} disabled={leaving.busy} onClick={() => void leave()}>
            {t.logOut}
          </button>
        )}
      </div>
    </header>
  );
}

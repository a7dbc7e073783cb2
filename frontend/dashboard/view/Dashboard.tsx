// The dashboard: who is asking, then the view that the address names.
import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { problemOf } from "../../app/problem";
import type { Memory } from "../../app/storage";
import { useLanguage } from "../../app/view/language";
import type { Language } from "../../app/texts";
import { me, type Person } from "../api";
import type { View } from "../place";
import { Alerts } from "./Alerts";
import { Events } from "./Events";
import { Head } from "./Head";
import { RefusedContext } from "./hooks";
import { Keys } from "./Keys";
import { LanguageContext, useLocale } from "./locale";
import { Login } from "./Login";
import { Overview } from "./Overview";
import { useWay, WayProvider } from "./place";
import { Sessions } from "./Sessions";
import { Subscriptions } from "./Subscriptions";
import { TracePage } from "./TracePage";

export function Dashboard({ memory }: { memory: Memory }) {
  const [language, choose] = useLanguage(memory);
  return (
    <LanguageContext value={language}>
      <WayProvider>
        <Door onLanguage={choose} />
      </WayProvider>
    </LanguageContext>
  );
}

type Who = { known: false; asking: boolean; problem: string } | { known: true; person: Person };

function Door({ onLanguage }: { onLanguage(language: Language): void }) {
  const { t } = useLocale();
  const [who, setWho] = useState<Who>({ known: false, asking: true, problem: "" });
  const ask = useCallback(async () => {
    try {
      const person = await me();
      if (person.scopes.includes("Admin")) setWho({ known: true, person });
      else setWho({ known: false, asking: false, problem: "" });
    } catch (error) {
      const { status, detail } = problemOf(error);
      setWho({ known: false, asking: false, problem: status === 401 ? "" : detail || t.unreachable });
    }
  }, [t]);
  useEffect(() => void ask(), [ask]);
  const refused = useCallback(() => setWho({ known: false, asking: false, problem: t.loggedOut }), [t]);
  return (
    <RefusedContext value={refused}>
      <Head person={who.known ? who.person : null} onLanguage={onLanguage} onLeave={refused} />
      {who.known ? <Page /> : !who.asking && <Login problem={who.problem} onEnter={ask} />}
    </RefusedContext>
  );
}

const pages: Record<View, () => ReactNode> = {
  overview: Overview,
  events: Events,
  sessions: Sessions,
  trace: TracePage,
  alerts: Alerts,
  keys: Keys,
  subscriptions: Subscriptions,
};

function Page() {
  const { place } = useWay();
  const { t } = useLocale();
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef(place.view);
  const title = t.views[place.view];
  useEffect(() => {
    document.title = `${title} – Spanfeed`;
    // Who goes to another view with a screen reader hears where they are.
    if (before.current !== place.view) heading.current?.focus();
    before.current = place.view;
  }, [place.view, title]);
  const View = pages[place.view];
  return (
    <main id="main" className="page" data-testid="page" data-view={place.view}>
      <h2 ref={heading} tabIndex={-1} className="page-title">
        {title}
      </h2>
      <View />
    </main>
  );
}

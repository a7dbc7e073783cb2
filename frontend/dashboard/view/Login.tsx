// Where an administrator logs in.
import { type FormEvent, useState } from "react";
import { logIn } from "../api";
import { useLocale } from "./locale";
import { problemOf } from "../../app/problem";

interface LoginProps {
  /** Why one has to log in (again); empty where that goes without saying. */
  problem: string;
  onEnter(): Promise<void>;
}

export function Login({ problem, onEnter }: LoginProps) {
  const { t } = useLocale();
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const enter = async (submitted: FormEvent<HTMLFormElement>) => {
    submitted.preventDefault();
    const form = submitted.currentTarget;
    const given = new FormData(form);
    setBusy(true);
    setRefusal("");
    try {
      await logIn(String(given.get("name")), String(given.get("password")));
      await onEnter();
    } catch (error) {
      const { status, detail } = problemOf(error);
      setRefusal(status === 401 ? t.wrongLogin : detail || t.unreachable);
      form.querySelector<HTMLInputElement>('[type="password"]')?.select();
    } finally {
      setBusy(false);
    }
  };
  const said = refusal || problem;
  return (
    <main id="main" className="page login">
      <form className="panel" onSubmit={(event) => void enter(event)} aria-labelledby="login-title">
        <h2 id="login-title">{t.logIn}</h2>
        <p className="muted">{t.loginHint}</p>
        <label className="field">
          <span>{t.name}</span>
          <input name="name" autoComplete="username" required maxLength={100} data-testid="name" />
        </label>
        <label className="field">
          <span>{t.password}</span>
          <input name="password" type="password" autoComplete="current-password" required data-testid="password" />
        </label>
        <p role="alert" className="problem" data-testid="login-problem">
          {said}
        </p>
        <button type="submit" className="main-button" disabled={busy} data-testid="enter">
          {t.logIn}
        </button>
      </form>
    </main>
  );
}

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { login } from "../api";
import { sessionKey, useSession } from "../app/session";
import { Mark } from "../app/shell";
import { Button } from "../ui/button";
import { Field, Input } from "../ui/field";

/** The page to come back to: one of this console's, whatever the address says. */
function inside(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/";
}

/** Component asks for an access key, which is also the one of AWS clients. */
export function Component() {
  const [query] = useSearchParams();
  const next = inside(query.get("next"));
  const s = useSession();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [accessKey, setAccessKey] = useState("");
  const [secretKey, setSecretKey] = useState("");
  const [error, setError] = useState(query.get("why") ?? "");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = "Sign in · Fairlead";
  }, []);
  if (!s.login || s.user) return <Navigate to={next} replace />;
  const submit = async () => {
    setBusy(true);
    setError("");
    try {
      const answer = await login({ accessKey: accessKey.trim(), secretKey: secretKey.trim() });
      client.setQueryData(sessionKey, answer);
      await navigate(next, { replace: true });
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
      setBusy(false);
    }
  };
  return (
    <main className="grid min-h-dvh place-items-center bg-page px-4 py-10">
      <div className="w-full max-w-96">
        <div className="flex items-center gap-3 rounded-t-lg bg-bar px-6 py-5 text-bar-ink">
          <Mark className="size-9" />
          <h1 className="text-xl font-semibold tracking-[-0.01em]">Sign in to Fairlead</h1>
        </div>
        <form className="space-y-4 rounded-b-lg border border-t-0 border-edge bg-sheet p-6 shadow-sheet" onSubmit={(e) => { e.preventDefault(); void submit(); }}>
          {error && <p role="alert" className="rounded-md bg-bad-tint px-3 py-2 text-bad">{error}</p>}
          <Field label="Access key">
            <Input autoFocus required autoComplete="username" spellCheck={false} autoCapitalize="off" maxLength={128} value={accessKey} onChange={(e) => setAccessKey(e.target.value)} />
          </Field>
          <Field label="Secret key">
            <Input required type="password" autoComplete="current-password" maxLength={256} value={secretKey} onChange={(e) => setSecretKey(e.target.value)} />
          </Field>
          <Button type="submit" kind="primary" busy={busy} className="w-full">Sign in</Button>
          <p className="text-soft">
            They are the ones that AWS clients use here: <code className="text-ink">fairlead env</code> prints them, and{" "}
            <code className="text-ink">fairlead console</code> a link that signs in by itself.
          </p>
        </form>
      </div>
    </main>
  );
}

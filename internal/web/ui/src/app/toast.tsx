import { useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Link } from "react-router";
import { ApiError } from "../api";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icons";
import { sessionKey } from "./session";

interface Toast {
  id: number;
  kind: "good" | "bad";
  text: string;
  link?: { label: string; to: string };
}

interface Toasts {
  /** Says that something was done. */
  done: (text: string, link?: Toast["link"]) => void;
  /** Says that something could not be done, and why. It stays until closed. */
  failed: (what: string, error: unknown) => void;
}

const Context = createContext<Toasts>({ done: () => {}, failed: () => {} });

const shownFor = 6000;

/** ToastProvider shows what actions came to, and has it said. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const client = useQueryClient();
  const next = useRef(1);
  const add = useCallback((t: Omit<Toast, "id">) => setToasts((all) => [...all.slice(-3), { ...t, id: next.current++ }]), []);
  const drop = useCallback((id: number) => setToasts((all) => all.filter((t) => t.id !== id)), []);
  const value = useMemo<Toasts>(() => ({
    done: (text, link) => add({ kind: "good", text, ...(link ? { link } : {}) }),
    failed: (what, error) => {
      // The session's owner leads to the login page.
      if (error instanceof ApiError && error.kind === "signedOut") void client.invalidateQueries({ queryKey: sessionKey });
      add({ kind: "bad", text: `${what}: ${error instanceof Error ? error.message : String(error)}` });
    },
  }), [add, client]);
  return (
    <Context value={value}>
      {children}
      <section aria-label="Notices" aria-live="polite" className="pointer-events-none fixed right-3 bottom-3 left-3 z-50 flex flex-col items-end gap-2">
        {toasts.map((t) => <Notice key={t.id} toast={t} onClose={() => drop(t.id)} />)}
      </section>
    </Context>
  );
}

function Notice({ toast: t, onClose }: { toast: Toast; onClose: () => void }) {
  const close = useRef(onClose);
  close.current = onClose;
  const [held, hold] = useState(false);
  useEffect(() => {
    if (t.kind === "bad" || held) return;
    const timer = setTimeout(() => close.current(), shownFor);
    return () => clearTimeout(timer);
  }, [t.kind, held]);
  return (
    <div onPointerEnter={() => hold(true)} onPointerLeave={() => hold(false)} onFocus={() => hold(true)} onBlur={() => hold(false)}
      className="pointer-events-auto flex max-w-[30rem] items-start gap-2 rounded-lg border border-edge bg-raised py-2 pr-1 pl-3 shadow-up">
      <span className={`mt-1 ${t.kind === "good" ? "text-good" : "text-bad"}`}><Icon name={t.kind === "good" ? "check" : "alert"} /></span>
      <p className="min-w-0 flex-1 py-1 wrap-anywhere">
        {t.text}
        {t.link && <> <Link to={t.link.to} className="text-link underline underline-offset-2">{t.link.label}</Link></>}
      </p>
      <IconButton icon="close" label="Close this notice" onClick={onClose} />
    </div>
  );
}

/** useToast returns how to say what an action came to. */
export function useToast(): Toasts {
  return use(Context);
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, use, useEffect, useState, type ReactNode } from "react";
import { useLocation, useNavigate } from "react-router";
import { ApiError, login, logout, session, type Service, type Session } from "../api";
import { Failure } from "../ui/page";

const Context = createContext<Session | null>(null);

/** sessionKey is where the session is kept among queries. */
export const sessionKey = ["session"];

/** takeToken takes the one-time token of a printed link out of the address; "" without one. */
export function takeToken(): string {
  const found = /^#login=([\w.~-]{1,512})$/.exec(location.hash);
  if (!found) return "";
  history.replaceState(history.state, "", location.pathname + location.search);
  return found[1] ?? "";
}

/**
 * SessionProvider lets those in who are signed in or need not be, and takes
 * everyone else to the login page. `token` is that of a printed link.
 */
export function SessionProvider({ token, children }: { token: string; children: ReactNode }) {
  const location = useLocation();
  const navigate = useNavigate();
  const [refused, setRefused] = useState("");
  const q = useQuery({
    queryKey: sessionKey,
    queryFn: async ({ signal }) => {
      if (token && !refused) {
        try {
          return await login({ token });
        } catch (e) {
          if (!(e instanceof ApiError) || e.kind === "network") throw e;
          setRefused(e.message);
        }
      }
      return session({ signal });
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  const s = q.data;
  const out = s !== undefined && s.login && s.user === "";
  const here = location.pathname + location.search;
  useEffect(() => {
    if (out && location.pathname !== "/login") {
      void navigate(`/login?${new URLSearchParams({ next: here, ...(refused ? { why: refused } : {}) })}`, { replace: true });
    }
  }, [out, here, location.pathname, navigate, refused]);
  if (q.isError) return <main className="pt-16"><Failure error={q.error} retry={() => void q.refetch()} /></main>;
  if (!s || (out && location.pathname !== "/login")) return null;
  return <Context value={s}>{children}</Context>;
}

/** useSession returns who is signed in and what they may do. */
export function useSession(): Session {
  const s = use(Context);
  if (!s) throw new Error("the session is used outside of SessionProvider");
  return s;
}

/** useCanAct tells whether actions may be offered. */
export function useCanAct(): boolean {
  return !useSession().readOnly;
}

/** useWord returns how the API spells a state, such as UP_FOR_RETRY. */
export function useWord(): (service: Service, of: "task" | "run", state: string) => string {
  const { words } = useSession();
  return (service, of, state) => words?.[service]?.[of]?.[state as "s"]?.word ?? "";
}

/** useLogout returns how to end the session; what was read in it is forgotten. */
export function useLogout(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await logout();
    const nobody = await session();
    client.removeQueries({ predicate: (q) => q.queryKey[0] !== sessionKey[0] });
    client.setQueryData(sessionKey, nobody);
  };
}

import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { NavLink, Outlet, useLocation, useNavigate } from "react-router";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/page";
import { Menu, MenuChoice, MenuChoices, MenuItem, MenuLine, MenuText } from "../ui/menu";
import { useKeys } from "./keys";
import { useLiveState, type LiveState } from "./live";
import { useCanAct, useLogout, useSession } from "./session";
import { useTheme, type ThemeChoice } from "./theme";

const Help = lazy(() => import("./help").then((m) => ({ default: m.Help })));
const Palette = lazy(() => import("./palette").then((m) => ({ default: m.Palette })));

const onBar = "inline-flex h-8 items-center gap-1.5 rounded-md px-2 text-bar-soft transition-colors hover:bg-bar-edge hover:text-bar-ink pointer-coarse:h-10";

/** Shell is what stands around every page. */
export function Shell() {
  const [open, setOpen] = useState<"help" | "search" | null>(null);
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const mac = useMemo(() => /Mac|iPhone|iPad/.test(navigator.userAgent), []);
  const canAct = useCanAct();
  useEffect(() => {
    window.scrollTo(0, 0); // which returns a promise in some browsers, so no short form
  }, [pathname]);
  useKeys([
    { press: "?", does: "List the keys", group: "Everywhere", run: () => setOpen("help") },
    { press: "/", does: "Search", group: "Everywhere", keyOnly: true, run: () => setOpen("search") },
    { press: "ctrl+k", does: "Search, also from a field", group: "Everywhere", keyOnly: true, run: () => setOpen("search") },
    { press: "g w", does: "Go to the workflows", group: "Everywhere", run: () => void navigate("/") },
    { press: "g o", does: "Go to the runs of HealthOmics", group: "Everywhere", run: () => void navigate("/omics") },
    ...(canAct ? [{ press: "g n", does: "Write a new workflow", group: "Everywhere", run: () => void navigate("/new") }] : []),
  ]);
  return (
    <>
      <a href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}
        className="fixed top-2 left-2 z-50 -translate-y-20 rounded-md bg-raised px-3 py-2 font-medium text-link shadow-up focus:translate-y-0">
        Skip to the content
      </a>
      <header className="sticky top-0 z-40 flex h-12 items-center gap-1 border-b border-bar-edge bg-bar px-3 text-bar-ink sm:gap-2 sm:px-5 [--c-focus:var(--c-rope)]">
        <NavLink to="/" end className="mr-1 flex items-center gap-2 rounded-md py-1 pr-1 text-[1.07rem] font-semibold tracking-[-0.01em] text-bar-ink">
          <Mark />
          Fairlead
        </NavLink>
        <nav aria-label="Main" className="hidden items-center gap-1 sm:flex">
          <NavLink to="/" end className={({ isActive }) => `${onBar} ${isActive || pathname.startsWith("/workflows") || pathname.startsWith("/runs") ? "text-bar-ink" : ""}`}>Workflows</NavLink>
          <NavLink to="/omics" className={({ isActive }) => `${onBar} ${isActive ? "text-bar-ink" : ""}`}>HealthOmics</NavLink>
          {canAct && <NavLink to="/new" className={({ isActive }) => `${onBar} ${isActive ? "text-bar-ink" : ""}`}>New</NavLink>}
        </nav>
        <div className="flex-1" />
        <button type="button" onClick={() => setOpen("search")} aria-keyshortcuts="/ Control+K"
          className="inline-flex h-8 items-center gap-2 rounded-md border border-bar-edge px-2 text-bar-soft transition-colors hover:border-bar-soft hover:text-bar-ink sm:w-56 pointer-coarse:h-10">
          <Icon name="search" />
          <span className="sr-only flex-1 text-left sm:not-sr-only">Search</span>
          <kbd className="hidden sm:inline">{mac ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <Live />
        <button type="button" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => setOpen("help")} className={`${onBar} hidden sm:inline-flex`}>
          <Icon name="help" />
        </button>
        <Account />
      </header>
      <main id="main" tabIndex={-1} className="flex min-h-[calc(100dvh-3rem)] flex-col outline-none">
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
      <Suspense>
        {open === "help" && <Help onClose={() => setOpen(null)} />}
        {open === "search" && <Palette onClose={() => setOpen(null)} />}
      </Suspense>
    </>
  );
}

/** Mark is the sign of the product: a line through a fairlead. */
export function Mark({ className = "size-6" }: { className?: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" className={className} fill="none" strokeLinecap="round" strokeWidth="1.9">
      <path d="M4 20h16M7 20c-3-3-3.5-9 1-12.5M17 20c3-3 3.5-9-1-12.5" stroke="currentColor" />
      <path d="M2 13.5c5-4.5 8-4.5 10-1.5s5 3 10-1.5" stroke="var(--c-rope)" />
    </svg>
  );
}

const liveWords: Record<LiveState, string> = {
  idle: "This page does not change by itself",
  connecting: "Connecting for changes",
  live: "Changes arrive as they happen",
  lost: "No connection: what is shown may be old",
};

function Live() {
  const state = useLiveState();
  if (state === "idle") return null;
  return (
    <span role="status" title={liveWords[state]} className={`inline-flex h-8 items-center gap-1.5 px-1 sm:px-2 ${state === "lost" ? "text-bar-ink" : "text-bar-soft"}`}>
      <svg viewBox="0 0 10 10" aria-hidden="true" className="size-2.5">
        {state === "live" && <circle cx="5" cy="5" r="4" fill="var(--c-rope)" />}
        {state === "connecting" && <circle cx="5" cy="5" r="3.5" fill="none" stroke="var(--c-rope)" strokeWidth="1.5" className="breathe" />}
        {state === "lost" && <path d="M1.5 1.5l7 7m0-7l-7 7" stroke="#ff9aa5" strokeWidth="1.8" strokeLinecap="round" />}
      </svg>
      <span className="sr-only sm:not-sr-only">{state === "live" ? "Live" : state === "lost" ? "Offline" : "Connecting"}</span>
    </span>
  );
}

/** Places are where the bar leads, which has no room for them on a phone. */
function Places() {
  const navigate = useNavigate();
  const canAct = useCanAct();
  if (matchMedia("(min-width: 40rem)").matches) return null;
  return (
    <>
      <MenuItem icon="list" onSelect={() => void navigate("/")}>Workflows</MenuItem>
      <MenuItem icon="graph" onSelect={() => void navigate("/omics")}>HealthOmics</MenuItem>
      {canAct && <MenuItem icon="plus" onSelect={() => void navigate("/new")}>New workflow</MenuItem>}
      <MenuLine />
    </>
  );
}

function Account() {
  const s = useSession();
  const { choice, choose } = useTheme();
  const logout = useLogout();
  return (
    <Menu trigger={
      <button type="button" className={onBar} title="Account and theme">
        <Icon name="user" />
        <span className="sr-only">Account and theme</span>
        {s.readOnly && <span className="inline-flex items-center gap-1"><Icon name="lock" className="size-3.5" />Read-only</span>}
        <Icon name="down" className="size-3" />
      </button>
    }>
      <Places />
      {s.user && <MenuText>Signed in as <b className="font-medium text-ink">{s.user}</b></MenuText>}
      <MenuText>{s.region} · {s.account}{s.version && ` · ${s.version}`}</MenuText>
      <MenuLine />
      <MenuChoices label="Theme" value={choice} onChange={(v) => choose(v as ThemeChoice)}>
        <MenuChoice value="system">As the system</MenuChoice>
        <MenuChoice value="light">Light</MenuChoice>
        <MenuChoice value="dark">Dark</MenuChoice>
      </MenuChoices>
      {s.login && <><MenuLine /><MenuItem icon="out" onSelect={() => void logout()}>Sign out</MenuItem></>}
    </Menu>
  );
}

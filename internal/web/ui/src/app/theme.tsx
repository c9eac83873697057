import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";

/** What the reader asked for; `system` follows the machine. */
export type ThemeChoice = "system" | "light" | "dark";

interface Theme {
  choice: ThemeChoice;
  /** What is shown. Canvases draw anew when it changes. */
  shown: "light" | "dark";
  choose: (c: ThemeChoice) => void;
}

const Context = createContext<Theme>({ choice: "system", shown: "light", choose: () => {} });

const key = "fairlead.theme";

function saved(): ThemeChoice {
  const v = localStorage.getItem(key);
  return v === "light" || v === "dark" ? v : "system";
}

/** applyTheme puts the saved choice on the document, before anything is drawn. */
export function applyTheme(choice: ThemeChoice = saved()) {
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

/** ThemeProvider keeps the choice, in this browser. */
export function ThemeProvider({ children }: { children: ReactNode }) {
  const [choice, setChoice] = useState(saved);
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const on = () => setDark(query.matches);
    query.addEventListener("change", on);
    return () => query.removeEventListener("change", on);
  }, []);
  const choose = useCallback((c: ThemeChoice) => {
    if (c === "system") localStorage.removeItem(key);
    else localStorage.setItem(key, c);
    applyTheme(c);
    setChoice(c);
  }, []);
  const value = useMemo<Theme>(
    () => ({ choice, shown: choice === "system" ? (dark ? "dark" : "light") : choice, choose }),
    [choice, dark, choose],
  );
  return <Context value={value}>{children}</Context>;
}

/** useTheme returns the theme and how to change it. */
export function useTheme(): Theme {
  return use(Context);
}

// Colours of the theme for canvases, which do not know variables.

/**
 * colors resolves theme colours by name ("good-fill", "edge") to what a
 * canvas takes. Ask again when the theme changes; see `useTheme`.
 */
export function colors<const N extends string>(names: readonly N[]): Record<N, string> {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const found = {} as Record<N, string>;
  for (const name of names) {
    probe.style.color = `var(--c-${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

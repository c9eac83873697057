// Colours of the theme for canvases, which do not know variables.

/**
 * colors resolves theme colours by name ("good-fill", "edge") to what a
 * canvas takes. Ask again when the theme changes; see `useTheme`.
 */
export function colors<const N extends string>(names: readonly N[]): Record<N, string> {
  // All are put there before the first is read, so that styles are worked out once.
  const place = document.createElement("i");
  place.hidden = true;
  const probes = names.map((name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(--c-${name})`;
    place.append(probe);
    return [name, probe] as const;
  });
  document.body.append(place);
  const found = Object.fromEntries(probes.map(([name, probe]) => [name, getComputedStyle(probe).color])) as Record<N, string>;
  place.remove();
  return found;
}

// Icons are strokes in a box of 16 by 16. They never stand alone: a word or
// an aria-label says the same.

const paths = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.4 10.4L13.5 13.5",
  close: "M4 4l8 8M12 4l-8 8",
  down: "M4 6l4 4l4-4",
  right: "M6 4l4 4l-4 4",
  left: "M10 4L6 8l4 4",
  up: "M4 10l4-4l4 4",
  more: "M8 3.5h.01M8 8h.01M8 12.5h.01",
  play: "M5 3.2v9.6L12.8 8z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  stop: "M4 4h8v8H4z",
  again: "M12.9 8a4.9 4.9 0 1 1-1.6-3.6M13 2v3.2H9.8",
  edit: "M10.8 2.8l2.4 2.4L5.6 12.8l-3 .6l.6-3z",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6v-3.5h3.5M10 2.5h3.5v3.5M13.5 10v3.5h-3.5M6 13.5h-3.5v-3.5",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.85.85M11.75 11.75l.85.85M12.6 3.4l-.85.85M4.25 11.75l-.85.85",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  screen: "M2 3h12v8H2zM5.5 13.5h5",
  help: "M6 6.1a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.6h.01M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4z",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5l3.2 3.2L13 4.6",
  alert: "M8 2.2L14.4 13.4H1.6zM8 6.5v3.2M8 11.5h.01",
  info: "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4zM8 7.4v3.7M8 5h.01",
  user: "M8 2.5a2.7 2.7 0 1 0 0 5.4a2.7 2.7 0 1 0 0-5.4zM2.8 13.5c.6-2.7 2.7-3.9 5.2-3.9s4.6 1.2 5.2 3.9",
  lock: "M3.5 7.2h9v6.3h-9zM5.4 7.2V5.1a2.6 2.6 0 0 1 5.2 0v2.1",
  calendar: "M2.5 3.5h11v10h-11zM2.5 6.5h11M5.5 2v2.5M10.5 2v2.5",
  chart: "M2.5 13.5h11M4.5 13.5V9M8 13.5V4M11.5 13.5V7",
  grid: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  graph: "M2.5 6h4v4h-4zM9.5 2.5h4v4h-4zM9.5 9.5h4v4h-4zM6.5 8h1.5M8 4.5v7M8 4.5h1.5M8 11.5h1.5",
  diff: "M5 2.5v7M1.5 6h7M9 11.5h5.5",
  download: "M8 2.5v7.5M4.8 7L8 10.2L11.2 7M2.5 13.5h11",
  filter: "M2 3.5h12L9.5 8.5v4.5l-3-1.5v-3z",
  keyboard: "M1.5 4h13v8.5h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 10h6",
  link: "M6.5 9.5l3-3M7 4.5l1.3-1.3a2.7 2.7 0 0 1 3.9 3.9L10.9 8.4M9 11.5l-1.3 1.3a2.7 2.7 0 0 1-3.9-3.9l1.3-1.3",
  out: "M6.5 2.5h-4v11h4M10 5l3 3l-3 3M13 8H6",
} as const;

/** The names of icons. */
export type IconName = keyof typeof paths;

const solid: ReadonlySet<IconName> = new Set(["play", "stop"]);

/** Icon draws an icon in the colour of the text around it. */
export function Icon({ name, className = "size-4" }: { name: IconName; className?: string }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" className={`shrink-0 ${className}`}
      fill={solid.has(name) ? "currentColor" : "none"} stroke="currentColor"
      strokeWidth={name === "more" || name === "list" ? 1.9 : 1.5} strokeLinecap="round" strokeLinejoin="round">
      <path d={paths[name]} />
    </svg>
  );
}

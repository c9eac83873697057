import type { SignName } from "./states";

/** A Shape is a path in a box of 16 by 16, to be stroked or filled. */
export interface Shape {
  d: string;
  solid: boolean;
}

/** signs has the shape of every sign, for SVG and, by Path2D, for canvases. */
export const signs: Record<SignName, Shape> = {
  ring: { d: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6z", solid: false },
  dots: { d: "M3.2 8h.01M8 8h.01M12.8 8h.01", solid: false },
  play: { d: "M5.5 3.6v8.8L12.6 8z", solid: true },
  pause: { d: "M5.7 4.2v7.6M10.3 4.2v7.6", solid: false },
  again: { d: "M12.4 8a4.4 4.4 0 1 1-1.5-3.3M12.6 2.4v3h-3", solid: false },
  stop: { d: "M4.6 4.6h6.8v6.8h-6.8z", solid: true },
  tick: { d: "M3.6 8.4l3 3l5.8-6.6", solid: false },
  cross: { d: "M4.4 4.4l7.2 7.2M11.6 4.4l-7.2 7.2", solid: false },
  clock: { d: "M8 2.9a5.1 5.1 0 1 0 0 10.2a5.1 5.1 0 1 0 0-10.2zM8 5.2v3l2 1.6", solid: false },
  slash: { d: "M8 2.9a5.1 5.1 0 1 0 0 10.2a5.1 5.1 0 1 0 0-10.2zM4.5 11.5l7-7", solid: false },
  skip: { d: "M3.6 4.6L7 8l-3.4 3.4M8.6 4.6L12 8l-3.4 3.4", solid: false },
  minus: { d: "M4 8h8", solid: false },
  question: { d: "M5.8 6.2a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.5M8 12.2h.01", solid: false },
};

import { Link } from "react-router";
import type { RunRow } from "../api";
import { ago, duration, moment } from "../lib/format";
import { rowLook } from "../lib/states";
import { StateChip } from "./sign";

/** runTitle says a run in a line: its state, when and how long. */
export function runTitle(r: RunRow): string {
  const took = r.started ? (r.ended ? `, took ${duration(r.ended - r.started)}` : ", still going") : "";
  return `${rowLook(r).word}, ${ago(r.created, Date.now())} (${moment(r.created)})${took}`;
}

/** RunStrip shows runs, which come newest first, as a row of signs that ends with the newest. */
export function RunStrip({ runs }: { runs: readonly RunRow[] }) {
  return (
    <span className="-mx-0.5 inline-flex">
      {[...runs].reverse().map((r) => (
        <Link key={r.id} to={`/runs/${encodeURIComponent(r.id)}`} title={runTitle(r)} aria-label={`Run ${runTitle(r)}`}
          className="grid size-6 place-items-center rounded hover:bg-hover pointer-coarse:size-7">
          <StateChip look={rowLook(r)} className="size-[18px]" />
        </Link>
      ))}
    </span>
  );
}

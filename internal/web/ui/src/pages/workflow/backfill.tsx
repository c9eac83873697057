import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { backfill, type Workflow } from "../../api";
import { useToast } from "../../app/toast";
import { day, moment, plural } from "../../lib/format";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field, Input } from "../../ui/field";

/** BackfillDialog starts a run for each slot of a past range that has none, after it has shown which. */
export default function BackfillDialog({ workflow: w, onClose }: { workflow: Workflow; onClose: () => void }) {
  const client = useQueryClient();
  const toast = useToast();
  const [from, setFrom] = useState(day(Date.now() - 7 * 86_400_000));
  const [to, setTo] = useState(day(Date.now() - 86_400_000));
  const [found, setFound] = useState<{ at: number; run: string }[] | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  // What a browser gives for a date that is none is empty.
  const backwards = from !== "" && to !== "" && to < from;
  const early = from !== "" && from < "1970-01-02";
  const ask = async (dry: boolean) => {
    setBusy(true);
    setError("");
    try {
      // Days are the reader's, from the first moment of one to the last of the other.
      const answer = await backfill(w.id, { from: new Date(`${from}T00:00:00`).getTime(), to: new Date(`${to}T23:59:59.999`).getTime(), dry });
      if (dry) setFound(answer.slots);
      else {
        toast.done(`${plural(answer.begun, "run")} of ${w.name} begun.`);
        void client.invalidateQueries({ queryKey: ["workflow", w.id] });
        onClose();
      }
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
    }
    setBusy(false);
  };
  const open = found?.filter((s) => !s.run) ?? [];
  return (
    <Dialog title={`Backfill ${w.name}`} size="medium" onClose={onClose} footer={<>
      <Button onClick={onClose}>Cancel</Button>
      {found && open.length > 0 ? <Button kind="primary" busy={busy} onClick={() => void ask(false)}>Start {plural(open.length, "run")}</Button>
        : <Button kind="primary" busy={busy} disabled={!from || !to || backwards || early} onClick={() => void ask(true)}>Show the slots</Button>}
    </>}>
      <p className="mb-4 text-soft">Each slot of “{w.schedule?.words || w.schedule?.expr}” in these days that has no run gets one.</p>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="First day" error={early ? "Days begin with 1970-01-02." : undefined}><Input type="date" min="1970-01-02" max="9999-12-30" value={from} onChange={(e) => { setFrom(e.target.value); setFound(null); }} /></Field>
        <Field label="Last day" error={backwards ? "It is before the first day." : undefined}><Input type="date" min="1970-01-02" max="9999-12-30" value={to} onChange={(e) => { setTo(e.target.value); setFound(null); }} /></Field>
      </div>
      {error && <p role="alert" className="mt-4 rounded-md bg-bad-tint px-3 py-2 text-bad wrap-anywhere">{error}</p>}
      <div aria-live="polite" className="mt-4">
        {found && (open.length === 0 ? <p>{found.length === 0 ? "The schedule has no slot in these days." : `All ${plural(found.length, "slot")} have runs.`}</p> : <>
          <p className="mb-1">{plural(open.length, "slot")} without a run{found.length > open.length && `, ${found.length - open.length} with one`}:</p>
          <ul tabIndex={0} aria-label="Slots" className="max-h-48 columns-2 overflow-y-auto rounded-md bg-sunken px-3 py-2 text-soft">{open.map((s) => <li key={s.at}>{moment(s.at)}</li>)}</ul>
        </>)}
      </div>
    </Dialog>
  );
}

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { newToken, start, type Workflow } from "../api";
import { workflowQuery } from "../app/cache";
import { useToast } from "../app/toast";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { Failure, Loading } from "./page";
import { ParamFields, useParams } from "./params";

/** StartDialog starts a run of a workflow, with the params that its definition asks for. */
export function StartDialog({ workflow, onClose }: { workflow: string; onClose: () => void }) {
  const q = useQuery(workflowQuery(workflow));
  if (!q.data) {
    return (
      <Dialog title="Start a run" onClose={onClose}>
        {q.isError ? <Failure error={q.error} retry={() => void q.refetch()} /> : <Loading rows={3} />}
      </Dialog>
    );
  }
  return <Form key={q.data.latest} workflow={q.data} onClose={onClose} />; // another version asks for other params
}

function Form({ workflow: w, onClose }: { workflow: Workflow; onClose: () => void }) {
  const client = useQueryClient();
  const toast = useToast();
  const form = useParams(w.params);
  const token = useRef(newToken());
  const body = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const toFault = () => setTimeout(() => body.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  const submit = async () => {
    const params = form.read();
    if (!params) {
      toFault();
      return;
    }
    setBusy(true);
    setError("");
    try {
      const { run } = await start(w.id, { ...(Object.keys(params).length ? { params } : {}), token: token.current });
      toast.done(`A run of ${w.name} has been started.`, { label: "Open it", to: `/runs/${encodeURIComponent(run.id)}` });
      void client.invalidateQueries({ queryKey: ["workflows"] });
      onClose();
    } catch (e) {
      setBusy(false);
      if (form.refused(e)) toFault();
      else setError(e instanceof Error ? e.message : String(e));
    }
  };
  return (
    <Dialog title={`Start ${w.name}`} onClose={onClose} size={w.params.length ? "medium" : "small"} footer={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button kind="primary" icon="play" type="submit" form="start-run" busy={busy}>Start</Button>
    </>}>
      <form id="start-run" ref={body} noValidate onSubmit={(e) => { e.preventDefault(); void submit(); }}>
        {(w.paused || w.pausedAll) && <p className="mb-4 rounded-md bg-hold-tint px-3 py-2 text-hold">{w.paused ? "The workflow" : "Everything"} is paused: the run will wait until it is resumed.</p>}
        {error && <p role="alert" className="mb-4 rounded-md bg-bad-tint px-3 py-2 text-bad wrap-anywhere">{error}</p>}
        {w.params.length === 0 ? <p className="text-soft">Its definition asks for no params. Version {w.n} will run.</p> : <ParamFields form={form} />}
      </form>
    </Dialog>
  );
}

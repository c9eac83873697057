import { useQueryClient } from "@tanstack/react-query";
import { deleteWorkflow, type WorkflowRow } from "../api";
import { useToast } from "../app/toast";
import { Confirm } from "./dialog";

/** DeleteWorkflow asks before a workflow is removed for good. */
export function DeleteWorkflow({ row, onClose, onDone }: { row: WorkflowRow; onClose: () => void; onDone?: () => void }) {
  const client = useQueryClient();
  const toast = useToast();
  return (
    <Confirm title={`Delete ${row.name}?`} action="Delete" danger onClose={onClose}
      onConfirm={async () => {
        await deleteWorkflow(row.id);
        toast.done(`${row.name} is being deleted.`);
        await client.invalidateQueries({ queryKey: ["workflows"] });
        onDone?.();
      }}>
      <p>The workflow goes with all of its versions, runs and logs. This cannot be undone.</p>
      {row.active > 0 && <p>{row.active === 1 ? "A run is" : `${row.active} runs are`} under way and will be stopped.</p>}
    </Confirm>
  );
}

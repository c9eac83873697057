import { useMemo, useRef } from "react";
import type * as api from "../api";
import { GraphView, type GraphHandle } from "../graph/GraphView";
import { glyph, looksOf, sceneOf, usePalette } from "../graph/ofGraph";
import { close } from "../graph/scene";
import { duration } from "../lib/format";
import { look } from "../lib/states";
import { Button, IconButton } from "../ui/button";
import { Menu, MenuItem, MenuLine } from "../ui/menu";
import { isFinal } from "./runData";
import { describe, why } from "./runShow";

interface Props {
  graph: api.Graph;
  tasks: api.Tasks | undefined;
  waits: ReadonlyMap<string, api.Wait>;
  /** The index of a task; -1: none. */
  selected: number;
  onSelect(task: number): void;
  onOpen(task: number): void;
  /** Ids of closed groups, parted by spaces; "*" is all. */
  closed: string;
  onClosed(ids: string): void;
}

/** RunGraph draws the graph of a run with the states of its tasks. */
export function RunGraph(p: Props) {
  const palette = usePalette();
  const handle = useRef<GraphHandle>(null);
  const whole = useMemo(() => sceneOf(p.graph), [p.graph]);
  const closed = useMemo(() => new Set(p.closed === "*" ? whole.groups.map((g) => g.id) : p.closed.split(" ").filter(Boolean)), [p.closed, whole]);
  const scene = useMemo(() => close(whole, closed), [whole, closed]);
  const { tasks } = p;
  const looks = useMemo(
    () =>
      looksOf(
        scene,
        tasks && {
          states: tasks.states,
          under: (i) => {
            const word = look(tasks.states[i]!).word;
            const d = isFinal(tasks.states[i]!) && tasks.ended[i]! > 0 && tasks.started[i]! > 0 ? ` · ${duration(tasks.ended[i]! - tasks.started[i]!)}` : "";
            const many = tasks.unfolded[i];
            if (many) return `${many} × · ${word}${d}`;
            return tasks.attempt[i]! > 1 ? `${word} · attempt ${tasks.attempt[i]}${d}` : word + d;
          },
        },
      ),
    [scene, tasks],
  );
  const selected = p.selected >= 0 ? (scene.nodeOfTask[p.selected] ?? -1) : -1;
  const toggle = (id: string) => {
    const is = new Set(closed);
    if (!is.delete(id)) is.add(id);
    p.onClosed([...is].join(" "));
  };
  const say = (n: number) => {
    const node = scene.nodes[n]!;
    const ways = `${scene.into[n]!.length} before, ${scene.outOf[n]!.length} after`;
    if (node.closed || !tasks) return `${node.label}, ${node.closed ? "closed group of " + node.tasks.length : node.kind}; ${ways}`;
    return `${describe(tasks, node.tasks[0]!, p.waits)}; ${ways}`;
  };
  const tell = (n: number) => {
    const node = scene.nodes[n]!;
    if (node.closed) return [node.label, `${node.tasks.length} tasks: ${looks[n]!.under}`, "A double click opens the group"];
    const i = node.tasks[0]!;
    if (!tasks) return [node.label, node.kind];
    const reason = why(tasks, i, p.waits);
    return [node.label, `${node.kind} · ${looks[n]!.under}`, ...(reason ? [reason.length > 200 ? reason.slice(0, 200) + "…" : reason] : [])];
  };
  return (
    <div className="relative h-full w-full">
      <GraphView
        handle={handle}
        scene={scene}
        looks={looks}
        palette={palette}
        glyph={glyph}
        selected={selected}
        onSelect={(n) => {
          const node = scene.nodes[n];
          p.onSelect(node ? node.tasks[0]! : -1);
        }}
        onOpen={(n) => {
          const node = scene.nodes[n]!;
          if (node.closed) toggle(node.group);
          else p.onOpen(node.tasks[0]!);
        }}
        onGroup={(n) => {
          const { group } = scene.nodes[n]!;
          if (group) toggle(group);
        }}
        say={say}
        tell={tell}
        label={`Graph of ${p.graph.ids.length} tasks`}
      />
      <div className="absolute top-2 right-2 flex items-center gap-1 rounded-md border border-edge bg-sheet/95 p-0.5 shadow-sheet">
        <IconButton icon="plus" label="Larger (+)" onClick={() => handle.current?.zoom(1.5)} />
        <IconButton icon="minus" label="Smaller (-)" onClick={() => handle.current?.zoom(1 / 1.5)} />
        <IconButton icon="fit" label="Show everything (0)" onClick={() => handle.current?.fit()} />
        {whole.groups.length > 0 && (
          <Menu
            trigger={
              <Button kind="quiet" icon="down">
                Groups
              </Button>
            }
          >
            <MenuItem onSelect={() => p.onClosed("*")}>Close all</MenuItem>
            <MenuItem onSelect={() => p.onClosed("")}>Open all</MenuItem>
            <MenuLine />
            {whole.groups.slice(0, 40).map((g) => (
              <MenuItem key={g.id} icon={closed.has(g.id) ? "right" : "down"} hint={String(g.members.length)} onSelect={() => toggle(g.id)}>
                {g.label}
              </MenuItem>
            ))}
          </Menu>
        )}
      </div>
    </div>
  );
}

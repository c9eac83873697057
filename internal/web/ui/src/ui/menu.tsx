import { cloneElement, createContext, use, useCallback, useState, type HTMLAttributes, type ReactElement, type ReactNode } from "react";
import { Icon, type IconName } from "./icons";

type Parts = typeof import("./menuParts");

const load = (): Promise<Parts> => import("./menuParts");

const Context = createContext<Parts | null>(null);

function useParts(): Parts {
  const parts = use(Context);
  if (!parts) throw new Error("an item of a menu is used outside of Menu");
  return parts;
}

interface MenuProps {
  /** The button that opens it; it must take a ref. */
  trigger: ReactElement<HTMLAttributes<HTMLElement>>;
  children: ReactNode;
  align?: "start" | "end";
}

/**
 * Menu opens a list of actions under its trigger. What lists are made of is
 * read when somebody is about to open the first: pages come up without it.
 */
export function Menu({ trigger, children, align = "end" }: MenuProps) {
  const [parts, setParts] = useState<Parts | null>(null);
  const [open, setOpen] = useState(false);
  // The parts come after the key that opens their list, and have not seen it.
  const [byKey, setByKey] = useState(false);
  const focusFirst = useCallback((list: HTMLElement | null) => {
    requestAnimationFrame(() => list?.querySelector<HTMLElement>("[role^=menuitem]")?.focus());
  }, []);
  if (!parts) {
    const show = (key: boolean) => {
      setByKey(key);
      setOpen(true);
      void load().then(setParts, () => setOpen(false)); // without the server nothing here would work either
    };
    return cloneElement(trigger, {
      "aria-haspopup": "menu", "aria-expanded": false,
      onPointerEnter: () => void load().catch(() => {}),
      onFocus: () => void load().catch(() => {}),
      onClick: (e) => show(e.detail === 0),
      onKeyDown: (e) => {
        if (e.key !== "ArrowDown") return;
        e.preventDefault();
        show(true);
      },
    });
  }
  // A modal menu would add a style element to the page, which its policy forbids.
  return (
    <Context value={parts}>
      <parts.Root modal={false} open={open} onOpenChange={setOpen}>
        <parts.Trigger asChild>{trigger}</parts.Trigger>
        <parts.Portal container={document.getElementById("main")}>
          <parts.Content align={align} sideOffset={6} collisionPadding={8}
            ref={byKey ? focusFirst : undefined}
            onCloseAutoFocus={() => setByKey(false)}
            className="z-50 max-h-[var(--radix-dropdown-menu-content-available-height)] min-w-44 overflow-y-auto rounded-lg border border-edge bg-raised p-1 text-ink shadow-up">
            {children}
          </parts.Content>
        </parts.Portal>
      </parts.Root>
    </Context>
  );
}

const row = "flex h-8 w-full items-center gap-2 rounded-md px-2 outline-none select-none data-[highlighted]:bg-picked data-[disabled]:opacity-60 pointer-coarse:h-10";

/** MenuItem is one action. */
export function MenuItem({ icon, danger, disabled, hint, onSelect, children }: {
  icon?: IconName; danger?: boolean; disabled?: boolean; hint?: string; onSelect: () => void; children: ReactNode;
}) {
  const parts = useParts();
  return (
    <parts.Item disabled={disabled} onSelect={onSelect} className={`${row} ${danger ? "text-bad" : ""}`}>
      {icon ? <Icon name={icon} /> : <span className="size-4" />}
      <span className="flex-1">{children}</span>
      {hint && <kbd className="text-soft">{hint}</kbd>}
    </parts.Item>
  );
}

/** MenuChoice is one of several of which one holds. */
export function MenuChoice({ value, children }: { value: string; children: ReactNode }) {
  const parts = useParts();
  return (
    <parts.RadioItem value={value} className={row}>
      <span className="grid size-4 place-items-center"><parts.ItemIndicator><Icon name="check" /></parts.ItemIndicator></span>
      {children}
    </parts.RadioItem>
  );
}

/** MenuChoices holds MenuChoice items. */
export function MenuChoices({ label, value, onChange, children }: { label: string; value: string; onChange: (v: string) => void; children: ReactNode }) {
  const parts = useParts();
  return (
    <parts.RadioGroup value={value} onValueChange={onChange}>
      <parts.Label className="px-2 pt-1.5 pb-1 text-[0.86em] font-medium text-soft">{label}</parts.Label>
      {children}
    </parts.RadioGroup>
  );
}

/** MenuLine parts groups of items. */
export function MenuLine() {
  const parts = useParts();
  return <parts.Separator className="my-1 h-px bg-edge" />;
}

/** MenuText says something among the items. */
export function MenuText({ children }: { children: ReactNode }) {
  const parts = useParts();
  return <parts.Label className="px-2 py-1 text-soft">{children}</parts.Label>;
}

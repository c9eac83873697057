import { DropdownMenu } from "radix-ui";
import { useState, type ReactNode } from "react";
import { Icon, type IconName } from "./icons";

interface MenuProps {
  /** The button that opens it; it must take a ref. */
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
}

/** Menu opens a list of actions under its trigger. */
export function Menu({ trigger, children, align = "end" }: MenuProps) {
  const [open, setOpen] = useState(false);
  // A modal menu would add a style element to the page, which its policy forbids.
  return (
    <DropdownMenu.Root modal={false} open={open} onOpenChange={setOpen}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={document.getElementById("main")}>
        <DropdownMenu.Content align={align} sideOffset={6} collisionPadding={8}
          className="z-50 max-h-[var(--radix-dropdown-menu-content-available-height)] min-w-44 overflow-y-auto rounded-lg border border-edge bg-raised p-1 text-ink shadow-up">
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

const row = "flex h-8 w-full items-center gap-2 rounded-md px-2 outline-none select-none data-[highlighted]:bg-picked data-[disabled]:opacity-60 pointer-coarse:h-10";

/** MenuItem is one action. */
export function MenuItem({ icon, danger, disabled, hint, onSelect, children }: {
  icon?: IconName; danger?: boolean; disabled?: boolean; hint?: string; onSelect: () => void; children: ReactNode;
}) {
  return (
    <DropdownMenu.Item disabled={disabled} onSelect={onSelect} className={`${row} ${danger ? "text-bad" : ""}`}>
      {icon ? <Icon name={icon} /> : <span className="size-4" />}
      <span className="flex-1">{children}</span>
      {hint && <kbd className="text-soft">{hint}</kbd>}
    </DropdownMenu.Item>
  );
}

/** MenuChoice is one of several of which one holds. */
export function MenuChoice({ value, children }: { value: string; children: ReactNode }) {
  return (
    <DropdownMenu.RadioItem value={value} className={row}>
      <span className="grid size-4 place-items-center"><DropdownMenu.ItemIndicator><Icon name="check" /></DropdownMenu.ItemIndicator></span>
      {children}
    </DropdownMenu.RadioItem>
  );
}

/** MenuChoices holds MenuChoice items. */
export function MenuChoices({ label, value, onChange, children }: { label: string; value: string; onChange: (v: string) => void; children: ReactNode }) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={onChange}>
      <DropdownMenu.Label className="px-2 pt-1.5 pb-1 text-[0.86em] font-medium text-soft">{label}</DropdownMenu.Label>
      {children}
    </DropdownMenu.RadioGroup>
  );
}

/** MenuLine parts groups of items. */
export function MenuLine() {
  return <DropdownMenu.Separator className="my-1 h-px bg-edge" />;
}

/** MenuText says something among the items. */
export function MenuText({ children }: { children: ReactNode }) {
  return <DropdownMenu.Label className="px-2 py-1 text-soft">{children}</DropdownMenu.Label>;
}

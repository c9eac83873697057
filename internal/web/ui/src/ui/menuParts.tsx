import { DropdownMenu } from "radix-ui";

// The parts that menus are made of, which are read when the first one opens.
export const { Root, Trigger, Portal, Content, Item, ItemIndicator, RadioItem, RadioGroup, Label, Separator } = DropdownMenu;

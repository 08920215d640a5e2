/* A dialog that keeps the focus while it is open and gives it back after. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    // The browser's own modal makes the rest inert, which no trap of ours would do as well.
    element.current?.showModal();
    return () => before?.focus();
  }, []);
  const onClick = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  return (
    <dialog class="dialog" ref={element} aria-label={title} onClose={onClose} onClick={onClick}>
      {children}
    </dialog>
  );
}

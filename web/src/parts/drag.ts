/* A drag over a drawing; the pointer is captured, so that it may leave it. */

interface Drag {
  /** Where the pointer is now, in pixels from the drawing's corner, and where it began. */
  onMove: (at: [number, number], from: [number, number]) => void;
  onEnd: () => void;
}

export function startDrag(event: PointerEvent, { onMove, onEnd }: Drag): void {
  if (event.button !== 0) return;
  const element = event.currentTarget as HTMLElement | SVGElement;
  const { left, top } = element.getBoundingClientRect();
  const from: [number, number] = [event.clientX - left, event.clientY - top];
  element.setPointerCapture(event.pointerId);
  const move = (next: Event) => {
    const { clientX, clientY } = next as PointerEvent;
    onMove([clientX - left, clientY - top], from);
  };
  const stop = () => {
    element.removeEventListener("pointermove", move);
    onEnd();
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", stop, { once: true });
  element.addEventListener("pointercancel", stop, { once: true });
}

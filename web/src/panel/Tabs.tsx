/* The tabs of a panel; arrows go from one to the next, as the pattern for tabs has it. */

interface Props<T extends string> {
  label: string;
  names: T[];
  shown: T;
  /** What stands behind a name, such as how many there are. */
  counts?: Partial<Record<T, number>>;
  onShow: (name: T) => void;
}

export function Tabs<T extends string>({ label, names, shown, counts = {}, onShow }: Props<T>) {
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    onShow(names[(names.indexOf(shown) + step + names.length) % names.length] ?? shown);
    const list = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => list.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
    event.stopPropagation();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {names.map((name) => (
        <button key={name} role="tab" id={`tab-${name}`} aria-selected={name === shown} aria-controls="tab-body"
          tabIndex={name === shown ? 0 : -1} onClick={() => onShow(name)}>
          {name}{counts[name] !== undefined && <span class="n"> {counts[name]}</span>}
        </button>
      ))}
    </div>
  );
}

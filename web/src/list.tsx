// A list of rows of one height, of which only those in sight are in the document. It scrolls with
// the page.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Props {
  count: number;
  rowHeight: number;
  row: (index: number, top: number) => ComponentChildren;
}

const kBeyond = 8;

export function List({ count, rowHeight, row }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ first: 0, last: 40 });

  useLayoutEffect(() => {
    const measure = () => {
      const top = box.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / rowHeight) - kBeyond);
      const last = Math.ceil((window.innerHeight - top) / rowHeight) + kBeyond;
      setRange((old) => (old.first === first && old.last === last ? old : { first, last }));
    };
    measure();
    window.addEventListener('scroll', measure, { passive: true });
    window.addEventListener('resize', measure);
    return () => {
      window.removeEventListener('scroll', measure);
      window.removeEventListener('resize', measure);
    };
  }, [rowHeight, count]);

  const rows = [];
  for (let index = range.first; index < Math.min(count, range.last); ++index) {
    rows.push(row(index, index * rowHeight));
  }
  return (
    <div ref={box} role="rowgroup" class="list" style={{ height: `${count * rowHeight}px` }}>
      {rows}
    </div>
  );
}

// Whether the window is as narrow as a phone.
export function useNarrow(): boolean {
  const query = '(max-width: 760px)';
  const [narrow, setNarrow] = useState(() => matchMedia(query).matches);
  useLayoutEffect(() => {
    const media = matchMedia(query);
    const listen = () => setNarrow(media.matches);
    media.addEventListener('change', listen);
    return () => media.removeEventListener('change', listen);
  }, []);
  return narrow;
}

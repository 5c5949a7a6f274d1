/** Drawn with one stroke, in the colour of the text; words beside them say what they mean. */
const paths = {
  chat: 'M4 5h16v11H9l-5 4z',
  knowledge: 'M5 4h6a2 2 0 0 1 2 2v14a2 2 0 0 0-2-2H5zM19 4h-4a2 2 0 0 0-2 2v14a2 2 0 0 1 2-2h4z',
  forge: 'M4 19V5M4 19h16M7 15l4-5 3 3 5-7',
  runs: 'M5 6h.01M9 6h10M5 12h.01M9 12h10M5 18h.01M9 18h10',
  key: 'M15 9a4 4 0 1 1-4-4 4 4 0 0 1 4 4zm-1.2 2.8L20 18v2h-3v-2h-2v-2l-1.6-1.6',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  columns: 'M4 5h7v14H4zM13 5h7v14h-7z',
  options: 'M5 8h9m4 0h1M5 16h1m4 0h9M16 6v4M8 14v4',
  upload: 'M12 16V5M7 10l5-5 5 5M5 19h14',
  search: 'M11 5a6 6 0 1 1-6 6 6 6 0 0 1 6-6zm4.5 10.5L20 20',
  trash: 'M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  check: 'M5 12l5 5 9-10',
  warning: 'M12 5l8 14H4zM12 10v4M12 16.5v.01',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

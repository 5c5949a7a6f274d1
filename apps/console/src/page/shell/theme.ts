/** Light, dark, or as the system has it. */
import { Store } from '../store.ts';

export const themes = ['system', 'light', 'dark'] as const;

export type Theme = (typeof themes)[number];

const kept = 'crucible.theme';

export const theme = new Store<Theme>('system');

export function startTheme(): void {
  const wanted = readKept();
  theme.subscribe(() => {
    show(theme.get());
    try {
      localStorage.setItem(kept, theme.get());
    } catch {
      // The browser keeps nothing; the choice holds until the page is left.
    }
  });
  theme.set(wanted);
}

function show(chosen: Theme): void {
  if (chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
}

function readKept(): Theme {
  try {
    const value = localStorage.getItem(kept);
    return themes.find((each) => each === value) ?? 'system';
  } catch {
    return 'system';
  }
}

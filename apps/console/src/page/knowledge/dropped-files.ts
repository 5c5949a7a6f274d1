/** Files out of what was dropped, with those in folders. */
import type { NamedFile } from './uploads.ts';

/** Files of one drop; a folder may hold a whole disk. */
const mostFiles = 5000;

export async function filesFrom(items: DataTransferItemList): Promise<NamedFile[]> {
  // The list is empty after the event: the entries are taken at once.
  const dropped = [...items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: NamedFile[] = [];
  for (const { entry, file } of dropped) {
    if (entry) await collect(entry, '', found);
    // What another program or page made has no place in a file system.
    else if (file) found.push({ name: file.name, file });
  }
  return found;
}

async function collect(entry: FileSystemEntry, path: string, found: NamedFile[]): Promise<void> {
  if (found.length >= mostFiles || entry.name.startsWith('.')) return;
  const name = path === '' ? entry.name : `${path}/${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ name, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // Directories come in parts.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const each of part) await collect(each, name, found);
  }
}

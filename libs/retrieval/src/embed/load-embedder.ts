import { BagEmbedder } from './bag-embedder.ts';
import type { Embedder } from './embedder.ts';
import { EncoderEmbedder } from './encoder-embedder.ts';

/** The embedder that `serialize` put into bytes. */
export async function loadEmbedder(bytes: Uint8Array): Promise<Embedder> {
  // Those of an encoder are JSON alone; a table begins with a size.
  return bytes[0] === 0x7b && bytes[1] === 0x22 ? EncoderEmbedder.parse(bytes) : BagEmbedder.parse(bytes);
}

/** Where programs run. */
export const devices = ['cpu', 'webgpu', 'cuda'] as const;

export type Device = (typeof devices)[number];

/** `auto`: a GPU where there is one, else the CPU; `chooseDevice` says which and why. */
export const deviceChoices = ['auto', ...devices] as const;

export type DeviceChoice = (typeof deviceChoices)[number];

// The same in all builds, as the chunk of third-party code mostly is.
export const vendor = 'vendor';

/** The tag by which a volume is found again whose id nobody could note. */
export const tokenTag = 'muster-token';

/** An id that no snapshot has: to ask what would be permitted before one is known. */
export const noSnapshot = 'snap-00000000000000000';

/**
 * Ranks after Zipf's law: rank r comes up in proportion to 1 / r^skew. Drawn by rejection from the
 * area under the continuous curve (Hörmann and Derflinger, 1996), so no table of ranks is needed.
 */
import type { Dice } from '../demo/dice.js';

export class Zipf {
  readonly #count: number;
  readonly #skew: number;
  readonly #areaFirst: number;
  readonly #areaLast: number;
  /** Draws so close to their rank need no second look. */
  readonly #sure: number;

  /** `count` ≥ 1 ranks; `skew` > 0, near 1 for what real traffic shows. */
  constructor(count: number, skew: number) {
    this.#count = count;
    this.#skew = skew;
    this.#areaFirst = this.#area(1.5) - 1;
    this.#areaLast = this.#area(count + 0.5);
    this.#sure = 2 - this.#areaInverse(this.#area(2.5) - this.#weight(2));
  }

  /** 0 = the most frequent, < count. */
  draw(dice: Dice): number {
    for (;;) {
      const area = this.#areaLast + dice.float() * (this.#areaFirst - this.#areaLast);
      const place = this.#areaInverse(area);
      const rank = Math.min(this.#count, Math.max(1, Math.round(place)));
      const isSure = rank - place <= this.#sure;
      if (isSure || area >= this.#area(rank + 0.5) - this.#weight(rank)) return rank - 1;
    }
  }

  #weight(rank: number): number {
    return rank ** -this.#skew;
  }

  /** Under the curve up to `place`. */
  #area(place: number): number {
    const power = 1 - this.#skew;
    return Math.abs(power) < 1e-9 ? Math.log(place) : (place ** power - 1) / power;
  }

  #areaInverse(area: number): number {
    const power = 1 - this.#skew;
    if (Math.abs(power) < 1e-9) return Math.exp(area);
    // Rounding may leave a hair less than nothing.
    return Math.max(0, 1 + area * power) ** (1 / power);
  }
}

// Keeps the model up to date: a question every two seconds while somebody looks, none while the
// page is hidden. What has not changed is not sent.
import { ApiError, get } from './api';
import type { Answer, Model } from './model';

const kIntervalMs = 2000;

export class Live {
  // When the daemon answered last, by this browser's clock; 0 = never.
  answered = 0;
  trouble = '';
  private timer = 0;
  private asking = false;
  private again = false;
  private stopped = false;
  private active = true;

  constructor(
    private readonly model: Model,
    private readonly changed: () => void,
    private readonly signedOut: () => void,
  ) {
    document.addEventListener('visibilitychange', this.look);
    for (const event of ['pointerdown', 'keydown']) document.addEventListener(event, this.noteUser);
    void this.ask();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.look);
    for (const event of ['pointerdown', 'keydown']) document.removeEventListener(event, this.noteUser);
  }

  // Asks now, as after a command.
  readonly look = (): void => {
    if (document.visibilityState === 'hidden') return;
    if (this.asking) this.again = true;
    else void this.ask();
  };

  // What keeps the session alive is its user, not this page.
  private readonly noteUser = (): void => {
    this.active = true;
  };

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    this.asking = true;
    this.again = false;
    const active = this.active;
    this.active = false;
    try {
      const query = new URLSearchParams({
        epoch: this.model.epoch,
        revision: String(this.model.revision),
      });
      if (active) query.set('active', '1');
      const answer = await get<Answer>(`/web/v1/overview?${query}`);
      if (this.stopped) return;
      this.model.apply(answer);
      this.answered = Date.now();
      this.trouble = '';
    } catch (error) {
      if (this.stopped) return;
      if (error instanceof ApiError && error.status === 401) {
        this.signedOut();
        return;
      }
      this.active ||= active;
      this.trouble = error instanceof ApiError ? error.message : 'the daemon does not answer';
    } finally {
      this.asking = false;
    }
    this.changed();
    const soon = this.again ? 0 : kIntervalMs;
    if (document.visibilityState !== 'hidden') {
      this.timer = window.setTimeout(() => void this.ask(), soon);
    }
  }
}

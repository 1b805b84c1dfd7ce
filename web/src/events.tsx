// What happened lately, newest first.
import { useState } from 'preact/hooks';
import * as format from './format';
import type { LogEvent, Model } from './model';

const kRank = { info: 'fine', warning: 'warning', error: 'bad' } as const;

export function EventTable({ events, now }: { events: LogEvent[]; now: number }) {
  return (
    <table class="events">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Event</th>
          <th scope="col">Object</th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event, index) => (
          <tr key={`${event.time} ${event.object} ${index}`} class={kRank[event.level]}>
            <td>
              <time dateTime={event.time} title={format.moment(event.time)}>
                {format.clock(event.time)}
              </time>{' '}
              <small>{format.since(event.time, now)} ago</small>
            </td>
            <td>{event.message}</td>
            <td>{event.object}</td>
            <td>{event.reason}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Events({ model }: { model: Model }) {
  const [filter, setFilter] = useState('');
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const events = model.events.filter((event) => {
    const text = `${event.message} ${event.object} ${event.reason}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <main>
      <h1>Events</h1>
      <div class="tools" role="search">
        <input
          type="search"
          aria-label="Filter events"
          placeholder="Filter by object, event or reason …  ( / )"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      </div>
      {events.length === 0 ? <p class="empty">No event.</p> : <EventTable events={events} now={model.now} />}
      <p class="note">The last 50; older ones stand in the daemon's log.</p>
    </main>
  );
}

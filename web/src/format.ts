// Numbers and times for people.

const whole = new Intl.NumberFormat('en');

export function count(value: number): string {
  return whole.format(Math.round(value));
}

export function rate(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

export function bits(bytesPerSecond: number): string {
  let value = bytesPerSecond * 8;
  for (const unit of ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']) {
    if (value < 1000) return `${value < 10 && value > 0 ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} Tbit/s`;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

export function since(time: string | null, now: number): string {
  return time === null ? '' : duration(now - Date.parse(time));
}

export function clock(time: string): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

export function moment(time: string): string {
  return new Date(time).toLocaleString('en-GB');
}

// When CAISO's ON and OFF peak hubs are priced, from the calendar on the wall: hour ending 7 to 22, Monday to
// Saturday, not on the holidays written down here. Knows the years of the recordings and of the
// simulation, and refuses others.

const HOLIDAYS: Record<string, readonly string[]> = {
  '2019': ['01-01', '05-27', '07-04', '09-02', '11-28', '12-25'],
  '2020': ['01-01', '05-25', '07-04', '09-07', '11-26', '12-25'],
  '2026': ['01-01', '05-25', '07-04', '09-07', '11-26', '12-25'],
};

const wall = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'America/Los_Angeles',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  weekday: 'short',
  hour: '2-digit',
  hourCycle: 'h23',
});

/** Whether a location is priced in the interval that starts then. */
export function isPriced(location: string, startMs: number): boolean {
  if (location.includes('_ONPEAK')) return onPeak(startMs);
  if (location.includes('_OFFPEAK')) return !onPeak(startMs);
  return true;
}

function onPeak(startMs: number): boolean {
  const parts = Object.fromEntries(wall.formatToParts(startMs).map(({ type, value }) => [type, value]));
  const holidays = HOLIDAYS[parts.year ?? ''];
  if (holidays === undefined) throw new Error(`the oracle knows no holidays of ${parts.year}`);
  if (parts.weekday === 'Sun' || holidays.includes(`${parts.month}-${parts.day}`)) return false;
  const hour = Number(parts.hour);
  return hour >= 6 && hour <= 21;
}

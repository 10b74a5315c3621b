// The quickstart's study with the senolysis model: Gompertz clock, oral palbociclib, intraperitoneal cetuximab. Days, mg, nmol/L, mm^3.
// No priors: log-likelihood and gradient are what is timed, with the same parameters as in gradient.py.
functions {
  vector rhs(real t, vector u, vector p, vector c) {
    vector[13] d;
    real free_inhibitor = fmax(p[3] * u[2], 1e-40 * p[7]);
    real unblocked = 1 / (1 + p[6] * u[4] / p[16]);
    real active = u[5];
    real volume_of_living = u[8] + u[9] + u[10] + u[11];
    real signal = u[7] * unblocked / (1 + u[7] * unblocked);
    real lost = 1 - fmin(1, signal * (1 + c[3]) / c[3]);
    real growth = p[8] * u[6] * (1 - p[17] * lost);
    real enter = p[11] * active * (1 - p[18] * lost) * u[8];
    real mature_in = p[11] * active * u[10];
    real revert = p[12] * (1 - active) * u[10];
    real escape = p[13] * (1 - active) * u[11];
    real early_death = c[5] * u[10];
    real full = c[3] + p[15] + p[14];
    real killed = p[20] * exp(signal * (1 + full) / full * log(p[19] / p[20])) * u[11];
    d[1] = -p[2] * u[1];
    d[2] = p[2] * u[1] - p[1] * u[2];
    d[3] = -p[5] * u[3];
    d[4] = p[5] * u[3] - p[4] * u[4];
    d[5] = c[2] * (inv_logit(c[1] * log(free_inhibitor / p[7])) - active);
    d[6] = -p[9] * u[6];
    d[7] = c[4] * (c[3] + p[15] * active + p[14] * u[11] / volume_of_living - u[7]);
    d[8] = growth * (1 - p[10] * active) * u[8] - enter + revert + escape;
    d[9] = growth * u[9];
    d[10] = enter - mature_in - revert - early_death;
    d[11] = mature_in - escape - killed;
    d[12] = killed + early_death - p[21] * u[12];
    d[13] = p[21] * (u[12] - u[13]);
    return d;
  }
}
data {
  int M;                                  // mice
  int N;                                  // observations, sorted by mouse and time
  array[M + 1] int first;                 // first observation of each mouse; the last entry is N + 1
  vector[N] time;
  vector[N] y;
  int E;                                  // events: a dose of one or both drugs, or the start
  array[M + 1] int first_event;
  vector[E] event_time;
  matrix[E, 2] dose;                      // mg of palbociclib and cetuximab
  vector[6] c;                            // hill, activation, basal ligand, ligand turnover, early death, size of dying cells
  vector[2] molar_mass;
  real weight;
  real residual;
  real rtol;
}
parameters {
  // palbociclib: clearance, volume, absorption, bioavailability, unbound, ratio; cetuximab: clearance, volume, absorption, bioavailability;
  // decay, half activation, arrest, entry, reversion, escape, ligand of senescent cells, fast ligand, half block, growth share, entry need,
  // protected hazard, clearance of dead cells, size of senescent cells, resistant share: all as logarithms
  vector[25] shared;
  vector[M] growth;
  vector[M] volume;
  vector[M] exposed;
}
model {
  vector[25] s = exp(shared);
  vector[N] predicted;
  for (m in 1:M) {
    vector[22] p;
    vector[13] u = rep_vector(0, 13);
    int n = first[m];
    int stop = first[m + 1] - 1;
    p[1] = 24 * s[1] / s[2];
    p[2] = 24 * s[3];
    p[3] = s[5] * s[6] / (s[2] * weight) / molar_mass[1] * 1e6;
    p[4] = 24 * s[7] / s[8];
    p[5] = 24 * s[9];
    p[6] = 1 / (s[8] * weight) / molar_mass[2] * 1e6;
    p[7] = s[12];
    p[8] = exp(growth[m]);
    p[9] = s[11];
    p[10] = s[13];
    p[11] = s[14];
    p[12] = s[15];
    p[13] = s[16];
    p[14] = s[17];
    p[15] = s[18];
    p[16] = s[19];
    p[17] = s[20];
    p[18] = s[21];
    p[19] = s[22];
    p[20] = exp(exposed[m]);
    p[21] = s[23];
    p[22] = s[24];
    u[6] = 1;
    u[7] = c[3];
    u[8] = exp(volume[m]) * (1 - s[25]);
    u[9] = exp(volume[m]) * s[25];
    while (n <= stop && time[n] <= 0) {
      predicted[n] = u[8] + u[9];
      n += 1;
    }
    for (k in first_event[m]:(first_event[m + 1] - 1)) {
      int last = k == first_event[m + 1] - 1;
      real upto = last ? time[stop] : event_time[k + 1];
      int seen = 0;
      u[1] += dose[k, 1] * s[4];
      u[3] += dose[k, 2] * s[10];
      while (n + seen <= stop && time[n + seen] <= upto) seen += 1;
      {
        int extra = seen == 0 ? 1 : (time[n + seen - 1] < upto);
        array[seen + extra] real ts;
        array[seen + extra] vector[13] found;
        for (i in 1:seen) ts[i] = time[n + i - 1];
        if (extra) ts[seen + 1] = upto;
        found = ode_rk45_tol(rhs, u, event_time[k], ts, rtol, 1e-6, 100000, p, c);
        for (i in 1:seen) {
          predicted[n + i - 1] = found[i][8] + found[i][9] + found[i][10] + p[22] * found[i][11]
                                 + c[6] * (found[i][12] + found[i][13]);
        }
        u = found[seen + extra];
      }
      n += seen;
    }
  }
  target += normal_lpdf(log(y) | log(predicted), residual);
}

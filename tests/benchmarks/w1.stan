// Workload W1: two compartments, first-order absorption, equal doses at equal intervals, in closed form.
data {
  int N; int J; real interval; real dose;
  array[N] int subject; vector[N] since; vector[N] given; vector[N] y;
}
parameters { vector[5] typical; vector<lower=0>[3] omega; matrix[J, 3] eta; real<lower=0> sigma; }
model {
  vector[J] clearance = exp(typical[1] + omega[1] * eta[, 1]);
  vector[J] volume = exp(typical[2] + omega[2] * eta[, 2]);
  vector[J] ka = exp(typical[5] + omega[3] * eta[, 3]);
  real exchange = exp(typical[3]);
  real back = exchange / exp(typical[4]);
  vector[J] out = clearance ./ volume;
  vector[J] total = out + exchange * inv(volume) + back;
  vector[J] slow = 0.5 * (total - sqrt(square(total) - 4 * back * out));
  vector[J] fast = back * out ./ slow;
  vector[J] a = dose * (ka ./ volume) .* (back - fast) ./ ((ka - fast) .* (slow - fast));
  vector[J] b = dose * (ka ./ volume) .* (back - slow) ./ ((ka - slow) .* (fast - slow));
  vector[J] af = a ./ (1 - exp(-interval * fast));
  vector[J] bs = b ./ (1 - exp(-interval * slow));
  vector[J] ck = (a + b) ./ (1 - exp(-interval * ka));
  vector[N] f = fast[subject]; vector[N] s = slow[subject]; vector[N] k = ka[subject];
  vector[N] all = since + interval * given;
  vector[N] c = af[subject] .* (exp(-f .* since) - exp(-f .* all)) + bs[subject] .* (exp(-s .* since) - exp(-s .* all))
              - ck[subject] .* (exp(-k .* since) - exp(-k .* all));
  typical[1] ~ normal(log(5), .5); typical[2] ~ normal(log(40), .5); typical[3] ~ normal(log(8), .5);
  typical[4] ~ normal(log(80), .5); typical[5] ~ normal(0, .5);
  omega ~ normal(0, .5); sigma ~ normal(0, .3); to_vector(eta) ~ std_normal();
  y ~ normal(log(c), sigma);
}

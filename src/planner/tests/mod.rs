mod brute;
mod plans;
mod scale;
mod ways;

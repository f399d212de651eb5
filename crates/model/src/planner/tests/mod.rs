mod brute;
mod odd;
mod plans;
mod scale;
mod ways;

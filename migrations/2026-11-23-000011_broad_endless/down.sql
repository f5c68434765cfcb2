DROP INDEX tokens_broad_endless;

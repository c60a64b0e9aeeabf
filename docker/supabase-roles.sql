-- Gives the roles that the services log in as the database's password: they come from the image without one. Run once, when the
-- database is made, by psql and as its superuser.
\getenv password POSTGRES_PASSWORD
alter role authenticator with password :'password';
alter role supabase_auth_admin with password :'password';
alter role supabase_storage_admin with password :'password';
